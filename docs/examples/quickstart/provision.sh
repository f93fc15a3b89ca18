pushctl provision controlid:0G0200/005B6D --model iDFlex --name "Main gate" \
    --device-url http://192.0.2.10:8080
