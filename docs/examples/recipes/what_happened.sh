pushctl commands --trace "ticket 4711"
pushctl show $COMMAND
pushctl explain $COMMAND
pushctl events --since 24h --device controlid:4408801109440198
