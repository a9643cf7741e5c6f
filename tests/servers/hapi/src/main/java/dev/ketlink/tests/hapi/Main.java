// HAPI FHIR JPA R4 on embedded Jetty over TLS: a second, independent FHIR server for the tests.
package dev.ketlink.tests.hapi;

import ca.uhn.fhir.rest.server.RestfulServer;
import jakarta.servlet.DispatcherType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;

public final class Main {
    private static final String USAGE =
            "usage: run.sh --cert FILE --key FILE --token-file FILE [--port 0] [--ready-file FILE] [--data FOLDER]"
                    + " [--strict]";

    private Main() {}

    public static void main(String[] arguments) {
        try {
            serve(parse(arguments));
        } catch (Exception failure) {
            failure.printStackTrace();
            System.exit(1); // threads of a half-started server would keep the process alive
        }
    }

    private static void serve(Map<String, String> options) throws Exception {
        String token = Files.readString(Path.of(required(options, "token-file"))).strip();
        if (token.isEmpty()) {
            throw new IllegalArgumentException("the token file is empty");
        }
        SslContextFactory.Server tls = new SslContextFactory.Server();
        tls.setKeyStore(Pem.keyStore(Path.of(required(options, "cert")), Path.of(required(options, "key"))));
        tls.setKeyStorePassword("");
        tls.setIncludeProtocols("TLSv1.2", "TLSv1.3");

        AnnotationConfigApplicationContext spring = new AnnotationConfigApplicationContext();
        spring.registerBean(Database.class, () -> Database.of(options.get("data")));
        spring.register(FhirConfig.class);
        spring.refresh();
        RestfulServer fhir = FhirConfig.restfulServer(spring, options.containsKey("strict"));

        Server server = new Server();
        ServerConnector connector = connector(server, tls, Integer.parseInt(options.getOrDefault("port", "0")));
        server.addConnector(connector);
        server.setHandler(handler(fhir, token));
        server.start();
        announce(connector.getLocalPort(), options.get("ready-file"));
        server.join();
    }

    private static Map<String, String> parse(String[] arguments) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i < arguments.length; i++) {
            String name = arguments[i].startsWith("--") ? arguments[i].substring(2) : "";
            if (name.equals("strict")) {
                options.put(name, "");
            } else if (name.matches("port|cert|key|token-file|ready-file|data") && i + 1 < arguments.length) {
                options.put(name, arguments[++i]);
            } else {
                System.err.println(USAGE);
                System.exit(2);
            }
        }
        return options;
    }

    private static String required(Map<String, String> options, String name) {
        String value = options.get(name);
        if (value == null) {
            System.err.println("--" + name + " is missing\n" + USAGE);
            System.exit(2);
        }
        return value;
    }

    private static ServerConnector connector(Server server, SslContextFactory.Server tls, int port) {
        HttpConfiguration http = new HttpConfiguration();
        http.setSendServerVersion(false);
        SecureRequestCustomizer secure = new SecureRequestCustomizer();
        secure.setSniHostCheck(false); // clients speak to 127.0.0.1 and, in tests, to wrong names on purpose
        http.addCustomizer(secure);
        ServerConnector connector = new ServerConnector(
                server, new SslConnectionFactory(tls, "http/1.1"), new HttpConnectionFactory(http));
        connector.setHost("127.0.0.1");
        connector.setPort(port);
        return connector;
    }

    private static ServletContextHandler handler(RestfulServer fhir, String token) {
        ServletContextHandler handler = new ServletContextHandler();
        handler.setContextPath("/");
        handler.addServlet(new ServletHolder(fhir), "/fhir/R4/*");
        handler.addFilter(new FilterHolder(new BearerFilter(token)), "/*", EnumSet.of(DispatcherType.REQUEST));
        return handler;
    }

    /** The ready file appears whole or not at all, so that a waiting test never reads half a number. */
    private static void announce(int port, String readyFile) throws Exception {
        if (readyFile != null) {
            Path ready = Path.of(readyFile);
            Path partial = Path.of(readyFile + ".part");
            Files.writeString(partial, port + "\n");
            Files.move(partial, ready, StandardCopyOption.ATOMIC_MOVE);
        }
        System.out.println("https://127.0.0.1:" + port + "/fhir/R4");
    }
}
