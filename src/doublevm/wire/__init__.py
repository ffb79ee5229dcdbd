"""The protocol between the processes: frames, values, framing and the grammar. No I/O here."""
