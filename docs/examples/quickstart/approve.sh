pushctl devices --admission pending
pushctl approve controlid:4408801109440198
