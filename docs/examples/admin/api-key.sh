curl -i -H "Authorization: Bearer $TOKEN" -X POST $API/v1/devices/servereye:4f1c2d/api-key
