"""Pure view models: snapshots in, rows and lines of plain cells out. Nothing here imports Textual."""
