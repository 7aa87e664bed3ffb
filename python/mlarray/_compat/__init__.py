"""Names, argument orders and layouts of other versions: docs/compatibility.md."""
