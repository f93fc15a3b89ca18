answer=$(curl http://127.0.0.1:8080/push/4f1c2d)
message=$(echo "$answer" | grep -o '"messageId":"[^"]*"' | cut -d '"' -f 4)
echo "$answer"
