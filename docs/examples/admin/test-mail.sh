curl -i -H "Authorization: Bearer $TOKEN" -X POST $API/v1/mail/test
