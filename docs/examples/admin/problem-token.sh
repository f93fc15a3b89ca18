curl -i $API/v1/devices
