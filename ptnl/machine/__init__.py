"""What the machine offers: devices, GPU slots, number types, random numbers."""
