curl -H "Authorization: Bearer $TOKEN" $API/v1/webhooks -d '{
  "url": "https://hooks.slack.com/services/T0000/B0000/XXXX",
  "format": "slack",
  "types": ["alert.raised", "alert.cleared"],
  "sites": ["Lisbon"]}'
