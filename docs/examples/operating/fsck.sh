pushctl fsck
pushctl fsck --offline
