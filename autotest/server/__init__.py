"""What reaches the hardware: autoserv and its hosts, power outlets, repairs and provisioners; no database here."""
