pushctl send controlid:4408801109440198 execute_actions \
    '{"actions": [{"action": "door", "parameters": "door=1"}]}' --ttl 10 --lease 3 --wait
