"""Names that would do harm if they were read as anything but text."""

NAMES = (
    "<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", 'a "quoted" \\ name', "datum.x + 1", "x:Q",
    "a.b[0]['c']", "שלום", "お茶の好み", "{{ name }}", "%s", "",
)  # fmt: skip

ODD = "one\x00two\x1b[31m\nthree\u202efour\ud800\uffff\u0085"
"""What no eye sees or no file holds."""

PLAIN = "one␀two␛[31m␊three⟨U+202E⟩four\ufffd\ufffd⟨U+0085⟩"
