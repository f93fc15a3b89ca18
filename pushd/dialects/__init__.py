"""The devices' doors: one folder per dialect, which never import each other."""
