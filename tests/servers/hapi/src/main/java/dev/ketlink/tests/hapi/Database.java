// Where the server keeps what it holds: in memory, or in a folder that outlives the process.
package dev.ketlink.tests.hapi;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import org.apache.commons.dbcp2.BasicDataSource;
import org.apache.commons.dbcp2.DelegatingConnection;

/** schema: what Hibernate does with the tables at the start. */
record Database(String url, String schema, boolean durable) {
    static Database of(String folder) {
        return folder == null
                ? new Database("jdbc:h2:mem:fhir;DB_CLOSE_DELAY=-1", "create", false)
                : new Database("jdbc:h2:file:" + folder + "/fhir;DB_CLOSE_ON_EXIT=FALSE", "update", true);
    }

    BasicDataSource source() {
        BasicDataSource source = durable ? new Durable() : new BasicDataSource();
        source.setDriverClassName("org.h2.Driver");
        source.setUrl(url);
        source.setUsername("sa");
        source.setPassword("");
        return source;
    }

    /** H2 writes half a second after a commit; an answer of this server is a promise that outlives a kill. */
    private static final class Durable extends BasicDataSource {
        @Override
        public Connection getConnection() throws SQLException {
            return new DelegatingConnection<>(super.getConnection()) {
                @Override
                public void commit() throws SQLException {
                    super.commit();
                    try (Statement statement = createStatement()) {
                        statement.execute("CHECKPOINT SYNC");
                    }
                }
            };
        }
    }
}
