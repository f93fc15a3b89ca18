curl -X POST "http://127.0.0.1:8080/push/4f1c2d/ack/$message"
