pushctl mail test
