curl "http://127.0.0.1:8080/push/4f1c2d/result/$message" \
    -d '{"success": true, "message": "refreshed", "data": {"agents": 3}}'
