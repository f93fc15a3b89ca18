pushd-simulate --controlid 2 --servereye 2
