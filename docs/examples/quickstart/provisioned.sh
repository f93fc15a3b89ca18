pushctl send controlid:0G0200/005B6D system_information --wait 30
pushctl show controlid:0G0200/005B6D
