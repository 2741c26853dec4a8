-- Two roles: one owns the tables and migrates, one serves and sweeps. Run as PostgreSQL's superuser, in the database follow_up, before the first
-- migration: what the owner makes later is opened to the other by default; `owner` and `app` are their passwords (psql -v).
CREATE ROLE follow_up_owner LOGIN PASSWORD :'owner';
CREATE ROLE follow_up_app LOGIN PASSWORD :'app';
REVOKE ALL ON DATABASE follow_up FROM PUBLIC;
GRANT CONNECT ON DATABASE follow_up TO follow_up_owner, follow_up_app;
GRANT USAGE, CREATE ON SCHEMA public TO follow_up_owner;
GRANT USAGE ON SCHEMA public TO follow_up_app;
ALTER DEFAULT PRIVILEGES FOR ROLE follow_up_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO follow_up_app;
