curl -i -H "Authorization: Bearer $TOKEN" $API/v1/webhooks \
    -d '{"url": "http://127.0.0.1:9000/alerts", "types": ["alert.raised", "alert.cleared"]}'
