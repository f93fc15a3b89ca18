curl -i -H "Authorization: Bearer $TOKEN" "$API/v1/events?type=command.succeeded,command.unknown&limit=2"
