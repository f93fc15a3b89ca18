pushd-simulate --id controlid=4408801109440101 --id servereye=0a1b2c
