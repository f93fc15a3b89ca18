curl -i 'http://127.0.0.1:8080/result?deviceId=4408801109440198&uuid=poll-1&endpoint=load_objects' \
    -d '{"response": {"users": [{"id": 1, "name": "Ada"}]}}'
