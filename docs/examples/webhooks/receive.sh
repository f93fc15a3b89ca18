python3 receiver.py "$SECRET"
