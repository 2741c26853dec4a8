"""Long-term follow-up after gene and cell therapy. The rooms and what each may ask of another: docs/architecture.md."""
