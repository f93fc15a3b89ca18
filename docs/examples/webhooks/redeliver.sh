curl -H "Authorization: Bearer $TOKEN" -X POST $API/v1/webhooks/$WEBHOOK/redeliver -d '{"after": "0"}'
curl -H "Authorization: Bearer $TOKEN" "$API/v1/webhooks/$WEBHOOK/deliveries?limit=5"
