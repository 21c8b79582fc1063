"""What every page is made of: template base, charts, drawings, and what a page may load (nothing).

Each page extends `templates/base.html`; its own package has the content.
"""
