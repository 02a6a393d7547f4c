"""The bus in Apache Kafka, where the work spans machines. ADR 0003: what aiokafka may not do."""
