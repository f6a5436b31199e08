"""What turns texts into vectors. `catalogue` names them; each has a module of its own."""
