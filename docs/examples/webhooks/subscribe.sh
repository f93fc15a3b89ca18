curl -H "Authorization: Bearer $TOKEN" $API/v1/webhooks -d '{
  "url": "http://127.0.0.1:9000/",
  "types": ["device.registered", "command.succeeded", "command.failed", "command.unknown"]}'
