curl -i -H "Authorization: Bearer $TOKEN" $API/v1/catalogue/servereye
