curl -H "Authorization: Bearer $TOKEN" "$API/v1/commands?trace=ticket%204711"
curl -H "Authorization: Bearer $TOKEN" $API/v1/commands/$COMMAND
curl -H "Authorization: Bearer $TOKEN" $API/v1/commands/$COMMAND/explain
