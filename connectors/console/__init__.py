"""The operator's page: where each person went, why the pipeline decided so, and the means to correct it.

Needs: fastapi, uvicorn, websockets, argon2-cffi, itsdangerous, opencv-python, pyotp (extra ``console``).
Guarantee: reads the ledger and submits correction commands to it; calls no actor. Shows only the newest live pictures.
When slow: live pictures are dropped. The pipeline never waits for the page.
Secrets: passwords are stored as argon2 hashes, tokens and recovery codes as sha256. The secret of
a second factor is stored as it is, in a file that only its owner can read. The first password is printed once.
"""
