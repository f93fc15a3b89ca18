curl -i -H "Authorization: Bearer $TOKEN" -X PATCH $API/v1/tokens/$LOBBY -d '{"tags": ["door"], "expires_at": null}'
