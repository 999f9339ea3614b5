"""Free energies, convex hulls, temperature-composition diagrams and voltage curves: which phases are stable, and where."""
