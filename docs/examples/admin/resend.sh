curl -i -H "Authorization: Bearer $TOKEN" -X POST $API/v1/commands/$COMMAND/resend -d '{"ttl": 30}'
