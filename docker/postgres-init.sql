-- One database and one owner for each service, made when the server's volume is empty. psql reads the passwords from
-- the container's environment, so no file and no command line holds them; a missing one stops the script.
\getenv langfuse_password LANGFUSE_DB_PASSWORD
\getenv label_studio_password LABEL_STUDIO_DB_PASSWORD
\getenv prefect_password PREFECT_DB_PASSWORD
\getenv goldloop_password GOLDLOOP_DB_PASSWORD

CREATE ROLE langfuse LOGIN PASSWORD :'langfuse_password';
CREATE ROLE label_studio LOGIN PASSWORD :'label_studio_password';
CREATE ROLE prefect LOGIN PASSWORD :'prefect_password';
CREATE ROLE goldloop LOGIN PASSWORD :'goldloop_password';

CREATE DATABASE langfuse OWNER langfuse;
CREATE DATABASE label_studio OWNER label_studio;
CREATE DATABASE prefect OWNER prefect;
CREATE DATABASE goldloop OWNER goldloop;

-- By default every user may connect to every database.
REVOKE CONNECT ON DATABASE langfuse, label_studio, prefect, goldloop, postgres FROM PUBLIC;
