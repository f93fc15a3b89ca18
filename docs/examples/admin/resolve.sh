curl -i -H "Authorization: Bearer $TOKEN" $API/v1/commands/$COMMAND/resolve \
    -d '{"state": "succeeded", "note": "the porter saw the door open"}'
