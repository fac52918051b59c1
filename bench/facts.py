"""What holds for all servers and their people, ours and the peers'."""

RESET_PATH = "/api/v1/users.resetE2EKey"
SECRET_KEY = "a secret key of the benchmark"
ROOMS_EACH = 10
KEY = "k" * 60  # a wrapped key; longer ones cost all of them the same
PEER_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # of all people of the peers: some encrypt slowly
