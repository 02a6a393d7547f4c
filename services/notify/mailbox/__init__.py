"""The mailbox: where a recipient lists, opens, acknowledges and sends back its notices."""
