curl -i "http://127.0.0.1:8080/d/$SECRET/push?deviceId=4408801109440198&uuid=poll-3"
