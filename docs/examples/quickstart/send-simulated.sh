pushctl send controlid:4408801109440101 create_objects \
    '{"object": "users", "values": [{"name": "Ada", "registration": "7"}]}' --wait
pushctl send controlid:4408801109440101 load_objects '{"object": "users"}' --wait
pushctl send servereye:0a1b2c REMOTE_ACTION --message 'demo|run|{"action": "echo", "text": "hello"}' --wait
