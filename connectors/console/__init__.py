"""The operator's page: who went where, why the line thinks so, and the power to correct it.

Needs: fastapi, uvicorn, websockets, argon2-cffi, itsdangerous, opencv-python (extra ``console``).
Guarantee: reads the ledger, places orders in it and never reaches into an actor; pictures are the newest only.
When slow: pictures are let go; the line waits for nothing here.
Secrets: passwords are kept as argon2 hashes, tokens as sha256; the first password is printed once.
"""
