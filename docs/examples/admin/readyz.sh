curl -i $API/readyz
