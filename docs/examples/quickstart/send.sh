pushctl send controlid:4408801109440198 load_objects '{"object": "users"}' --wait
