pushctl devices set controlid:4408801109440198 --model iDAccess
