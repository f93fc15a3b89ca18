curl -i $API/healthz
