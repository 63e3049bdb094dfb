"""Publishers and subscribers that cost little: packets made beforehand, raw sockets."""
