"""PDFs for tests, written byte by byte."""


def pdf(*pages: str, encrypted: bool = False) -> bytes:
    """A PDF with these texts as its pages; an empty text is a page without text. `encrypted` says so in its trailer."""
    count = len(pages)
    objects = ["<</Type/Catalog/Pages 2 0 R>>"]
    objects.append(f"<</Type/Pages/Count {count}/Kids[{' '.join(f'{4 + 2 * n} 0 R' for n in range(count))}]>>")
    objects.append("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for number, text in enumerate(pages):
        drawn = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET" if text else ""
        resources = "/Resources<</Font<</F1 3 0 R>>>>"
        objects.append(f"<</Type/Page/Parent 2 0 R{resources}/MediaBox[0 0 612 792]/Contents {5 + 2 * number} 0 R>>")
        objects.append(f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream")
    locked = "<</Filter/Standard/V 1/R 2/O<00>/U<00>/P -4>>" if encrypted else ""
    objects += [locked] if locked else []
    body, places = "%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    encrypt = f"/Encrypt {len(objects)} 0 R/ID[<00><00>]" if locked else ""
    trailer = f"trailer<</Size {len(objects) + 1}/Root 1 0 R{encrypt}>>\nstartxref\n{len(body)}\n%%EOF"
    return f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()
