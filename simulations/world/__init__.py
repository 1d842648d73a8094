"""The invented people, companies and files of a simulation, and the truth between them."""
